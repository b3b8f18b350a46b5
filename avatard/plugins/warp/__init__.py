"""A photograph that talks: its mouth is warped along the landmarks of its face bundle."""
