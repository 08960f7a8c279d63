"""Training of the project's own networks on the synthetic talking-face world. Never imported by the nodes."""
