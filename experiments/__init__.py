"""What writes `docs/results`: each experiment is a module with a `main(argv)`."""
