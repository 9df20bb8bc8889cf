"""Training of networks: repeatable from a seed, resumable, on one machine or several."""
