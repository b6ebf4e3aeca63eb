"""Set up an account: ask the server what it offers, choose, and write the configuration. `jmapsync init` asks the questions.

`survey` signs in and lists what there is, `choices` turns answers into names, folders and patterns, `config_file` adds the
account to the configuration.
"""
