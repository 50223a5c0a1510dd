"""Changes of the schema, each applied once."""
