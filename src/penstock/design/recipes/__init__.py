"""One module per model that the repository carries: run it, and the model is made again."""
