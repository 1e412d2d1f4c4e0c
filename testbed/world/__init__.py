"""The emulated Internet's plumbing: namespaces, links, addresses, routes, delay lines, supervision."""
