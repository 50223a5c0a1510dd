"""The drills, and what a drill is made of."""
