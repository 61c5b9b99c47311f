"""The interactive parts of the notebooks: each is a class here and a script of the same name in static/."""
