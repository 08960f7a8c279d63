"""Training: recipes, tasks, losses, regressors, trainer, data. Each imports only what stands to its right."""
