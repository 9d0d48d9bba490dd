"""A CRM described by a mapping: requests with placeholders, JMESPath for the answers, value maps. `rest` is one that users write, `wordpress` a shipped one."""
