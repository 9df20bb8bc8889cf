"""Results as data, and their JSON forms; no layout for people."""
