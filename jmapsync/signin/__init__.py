"""Sign in by OAuth 2.0 for public clients (draft-ietf-mailmaint-oauth-public), and store what a sign-in gives.

`discover` finds out which ways a server offers, `sign_in` gets tokens in a browser or by the device grant, `SignInStore` stores
them, and `OAuthCredential` presents them to the JMAP client and refreshes them. Nothing here knows of synchronization.
"""
