// An authorization server for the live tests: oidc-provider, which is certified for OpenID Connect, with what draft-ietf-mailmaint-oauth-public wants.
// Arguments: the port, and the variant: registration (refresh tokens stay the same), device (adds the device grant) or rotation (each
// refresh token is used once; a second use ends the sign-in). POST /admin/clock?seconds=N moves the clock, GET /admin/log lists what was asked.
import Provider from 'oidc-provider';

const port = Number(process.argv[2]);
const variant = process.argv[3];
const issuer = `http://127.0.0.1:${port}`;
const scopes = ['mail', 'contacts', 'calendars'].map((name) => `urn:ietf:params:oauth:scope:${name}`);

let ahead = 0;
const now = Date.now.bind(Date);
Date.now = () => now() + ahead * 1000;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'jmap-server', client_secret: 'toy', redirect_uris: [], response_types: [], grant_types: [],
    },
    {
      client_id: 'configured', client_secret: 'toy secret', application_type: 'native',
      redirect_uris: ['http://127.0.0.1/callback'], response_types: ['code'], grant_types: ['authorization_code', 'refresh_token'],
    },
  ],
  scopes: ['openid', 'offline_access', ...scopes],
  features: {
    deviceFlow: { enabled: variant === 'device' },
    introspection: { enabled: true },
    registration: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => ({
        scope: scopes.join(' '), audience: resource, accessTokenTTL: 3600, accessTokenFormat: 'opaque',
      }),
      useGrantedResource: () => true,
    },
  },
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: variant === 'rotation',
  expiresWithSession: () => false,
  ttl: { AccessToken: 3600, RefreshToken: 30 * 86400 },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
});

const asked = [];
provider.use(async (ctx, next) => {
  if (ctx.path === '/admin/clock') {
    ahead += Number(ctx.query.seconds);
    ctx.body = `${ahead}`;
    return;
  }
  if (ctx.path === '/admin/log') {
    ctx.body = asked;
    return;
  }
  await next();
  if (ctx.method === 'POST' && ctx.oidc) {
    asked.push({ route: ctx.oidc.route, grant: ctx.oidc.params?.grant_type, status: ctx.status, error: ctx.body?.error });
  }
});
provider.listen(port, '127.0.0.1', () => console.log(issuer));
