"""Containers as subscribers: Docker's and Podman's, whose only network is a vantage."""
