"""A bridge to browsers: the room's face, places of their own for visitors, and a page for a person at a desk."""
