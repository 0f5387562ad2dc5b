"""Caddy: its admin API, its configuration, and the two ways to switch."""
