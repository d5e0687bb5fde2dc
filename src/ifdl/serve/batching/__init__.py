"""`ifdl batch`: very many pictures into one table.

`sources` reads, `cascade` examines one picture in steps, `worker` holds it in a process that may die, `local` and
`on_ray` drive many of those, `table` fixes the columns, `store` keeps what is done, `run` puts them together.
"""
