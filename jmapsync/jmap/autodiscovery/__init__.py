"""Find the JMAP server of a mail address by every known way at once, without sending a credential or the address itself.

`search` runs the ways and ranks what they find, `visit` fetches pages, `well_known` recognises a session's URL, `pacc` and
`autoconfig` read the two configuration formats, `providers` lists servers that are known.
"""
