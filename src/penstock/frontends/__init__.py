"""Files from outside as our data: models, and the inputs that users give them."""
