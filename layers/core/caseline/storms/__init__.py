"""Storms: many different customers on one issue become one incident, not a case each."""
