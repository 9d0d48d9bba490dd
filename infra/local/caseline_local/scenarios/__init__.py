"""Stories in time order (events/scenarios) with the cases expected, played on the running product or on any other stage."""
