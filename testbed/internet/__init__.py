"""The far side of the emulated Internet: sites, resolvers, their certificates."""
