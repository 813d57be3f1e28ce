import test from 'ava';
import { duration, pack } from '@flotilla/xds';
import { Addresses, call, lastLog, startBackend, startMesh } from './testing/harness.js';
import { assignment, edsCluster, gateway, host, routes, to } from './testing/resources.js';

const addresses = new Addresses(1);

test('routes by header, then by weight, to the clusters of a virtual host', async (t) => {
  const [v1, v2] = await Promise.all([startBackend(t, addresses, 'v1'), startBackend(t, addresses, 'v2')]);
  const jason = { prefix: '/', headers: [{ name: 'end-user', string_match: { exact: 'jason' } }] };
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('v1'), edsCluster('v2')],
    endpoint: [assignment('v1', [v1.ip, v1.port]), assignment('v2', [v2.ip, v2.port])],
    listener: [gateway(8080, 'http.8080', { use_remote_address: true })],
    route: [routes('http.8080', host(['reviews'], to('v2', {}, jason), to('v1')))],
  });
  const headers = { host: 'reviews' };
  t.is((await call(mesh.ip, 8080, { headers })).body, 'v1');
  t.is((await call(mesh.ip, 8080, { headers: { ...headers, 'end-user': 'jason' } })).body, 'v2');
  t.is((await call(mesh.ip, 8080, { headers: { host: 'other' } })).status, 404);
});
