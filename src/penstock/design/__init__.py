"""Networks: published ones from tables; training and export, the only code that imports torch."""
