"""The screen: an immutable `Board` in, a picture and requests out.

`app` holds the application, `screens` one file per screen or modal, `widgets` what they are made of, `pictures` the pure
functions that turn values into text. `ink` is the border every string crosses before a terminal sees it. Nothing here
knows a rule, a query or a provider; what may block runs in `work`'s threads and comes back as one of `messages`.
"""
