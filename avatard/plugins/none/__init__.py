"""No screen and no sound: frames without pictures, and a display that shows nothing."""
