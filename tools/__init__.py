"""What maintainers run, each as `python -m tools.NAME`."""
