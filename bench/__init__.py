"""What it costs, measured on this machine: `make bench`. Figures, never assertions."""
