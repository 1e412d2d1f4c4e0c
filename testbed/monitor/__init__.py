"""An observatory: what every operator's subscribers could reach, at intervals of the scenario's clock."""
