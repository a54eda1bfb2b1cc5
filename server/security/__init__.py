"""Who may do what: keys, roles, rates, origins, and the headers that browsers act on."""
