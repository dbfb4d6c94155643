"""Recipes: the settings of a training, or of a whole pipeline, as files."""

from cellvote.recipes.training import settings_of_recipe, training_recipes

__all__ = ["settings_of_recipe", "training_recipes"]
