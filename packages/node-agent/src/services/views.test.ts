import type { core, discovery } from '@flotilla/api';
import test from 'ava';
import { parseHostPorts, serviceView } from './views.js';

test('host ports are read from the annotation', (t) => {
  t.deepEqual(
    [...parseHostPorts('80=8080, 443=8443')],
    [
      [80, 8080],
      [443, 8443],
    ],
  );
  t.deepEqual([...parseHostPorts('nonsense,80=x')], []);
  t.deepEqual([...parseHostPorts(undefined)], []);
});

test('a view joins a service with its slices', (t) => {
  const service: core.Service = {
    metadata: { name: 'gw', namespace: 'istio-system', annotations: { 'flotilla.dev/host-ports': '80=8080' } },
    spec: {
      type: 'LoadBalancer',
      clusterIP: '127.254.0.3',
      sessionAffinity: 'ClientIP',
      ports: [
        { name: 'http', port: 80, targetPort: 8080, nodePort: 30001 },
        { name: 'dns', port: 53, targetPort: 53, protocol: 'UDP' },
      ],
    },
    status: { loadBalancer: {} },
  };
  const slice: discovery.EndpointSlice = {
    metadata: {},
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080 }],
    endpoints: [
      { addresses: ['127.126.1.2'], conditions: { ready: true } },
      { addresses: ['127.126.1.3'], conditions: { ready: false, serving: true, terminating: true }, hostname: 'h' },
      { addresses: ['127.126.1.4'], conditions: {} },
    ],
  };
  t.deepEqual(serviceView(service, [slice, { ...slice, addressType: 'FQDN' }]), {
    namespace: 'istio-system',
    name: 'gw',
    clusterIP: '127.254.0.3',
    publishNotReadyAddresses: false,
    ports: [
      { name: 'http', protocol: 'TCP', port: 80, nodePort: 30001, hostPort: 8080 },
      { name: 'dns', protocol: 'UDP', port: 53 },
    ],
    affinitySeconds: 10_800,
    endpoints: [
      { ip: '127.126.1.2', ready: true, serving: true, terminating: false, ports: { http: 8080 } },
      { ip: '127.126.1.3', hostname: 'h', ready: false, serving: true, terminating: true, ports: { http: 8080 } },
      { ip: '127.126.1.4', ready: true, serving: true, terminating: false, ports: { http: 8080 } },
    ],
  });
  const headless = serviceView({ ...service, spec: { clusterIP: 'None', type: 'ClusterIP' } }, []);
  t.is(headless.clusterIP, undefined);
  const external = serviceView({ ...service, spec: { type: 'ExternalName', externalName: 'example.com' } }, []);
  t.is(external.externalName, 'example.com');
});
