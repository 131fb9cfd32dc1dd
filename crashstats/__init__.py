"""The web application: pages, API, sign-in, and the settings every process shares."""
