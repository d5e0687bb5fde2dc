"""How people and machines call ifdl: command line now; page, API and batch engines later."""
