import type { core } from '@flotilla/api';
import test from 'ava';
import { buildEnv, type EnvContext } from './build.js';
import { expand } from './expand.js';
import { fieldValue, resourceValue } from './fields.js';
import { serviceEnv } from './services.js';

const pod: core.Pod = {
  metadata: {
    name: 'web-0',
    namespace: 'shop',
    uid: 'u-1',
    labels: { app: 'web', a: 'x"y' },
    annotations: { note: 'n' },
  },
  spec: {
    nodeName: 'node-1',
    containers: [
      { name: 'app', resources: { limits: { cpu: '500m', memory: '64Mi' }, requests: { memory: '32Mi' } } },
      { name: 'bare', resources: {} },
    ],
  },
  status: {},
};
const context: EnvContext = {
  pod,
  podIP: '127.126.1.2',
  hostIP: '127.126.1.1',
  allocatable: { cpuMilli: 2000, memoryBytes: 1024 ** 3 },
  services: { WEB_SERVICE_HOST: '1.2.3.4' },
  image: { LANG: 'C', FROM_IMAGE: '1' },
  configMap: (namespace, name) =>
    namespace === 'shop' && name === 'conf' ? { metadata: {}, data: { k: 'v', 'n.m': 'w' } } : undefined,
  secret: (_namespace, name) =>
    name === 'cred' ? { metadata: {}, data: { pass: Buffer.from('s3').toString('base64') } } : undefined,
};
const build = (container: Partial<core.Container>) => buildEnv({ name: 'app', resources: {}, ...container }, context);

test('references: known, escaped, unknown', (t) => {
  const lookup = (name: string): string | undefined => ({ A: '1', B: '$(A)' })[name];
  t.is(expand('$(A)-$(B)-$(C)-$$(A)-$A-$(', lookup), '1-$(A)-$(C)-$(A)-$A-$(');
});

test('order of precedence and of reference', (t) => {
  const built = build({
    envFrom: [{ prefix: 'P_', configMapRef: { name: 'conf' } }, { secretRef: { name: 'cred' } }],
    env: [
      { name: 'LANG', value: 'de' },
      { name: 'URL', value: 'http://$(WEB_SERVICE_HOST)/$(P_k)/$(LATER)' },
      { name: 'LATER', value: 'x' },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'SECRET', valueFrom: { secretKeyRef: { name: 'cred', key: 'pass' } } },
      { name: 'MAYBE', valueFrom: { configMapKeyRef: { name: 'gone', key: 'k', optional: true } } },
    ],
  });
  t.deepEqual(built, {
    env: {
      LANG: 'de',
      FROM_IMAGE: '1',
      WEB_SERVICE_HOST: '1.2.3.4',
      P_k: 'v',
      'P_n.m': 'w',
      pass: 's3',
      URL: 'http://1.2.3.4/v/$(LATER)',
      LATER: 'x',
      IP: '127.126.1.2',
      SECRET: 's3',
    },
  });
});

const problems: [string, Partial<core.Container>, string][] = [
  ['no ConfigMap', { envFrom: [{ configMapRef: { name: 'gone' } }] }, 'configmap "gone" not found'],
  [
    'no Secret',
    { env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'gone', key: 'k' } } }] },
    'secret "gone" not found',
  ],
  [
    'no key',
    { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'conf', key: 'z' } } }] },
    "couldn't find key z in ConfigMap shop/conf",
  ],
  [
    'no field',
    { env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath: 'spec.x' } } }] },
    'unsupported fieldPath: spec.x',
  ],
];
for (const [what, container, problem] of problems) {
  test(`says what is missing: ${what}`, (t) => {
    t.deepEqual(build(container), { problem });
  });
}

test('fields of the pod', (t) => {
  const value = (path: string): string | undefined => fieldValue(context, path);
  t.is(value('metadata.name'), 'web-0');
  t.is(value("metadata.labels['app']"), 'web');
  t.is(value("metadata.labels['none']"), '');
  t.is(value('metadata.labels'), 'a="x\\"y"\napp="web"');
  t.is(value('spec.serviceAccountName'), 'default');
  t.is(value('status.hostIP'), '127.126.1.1');
});

test('resources, in units of the divisor and rounded up', (t) => {
  const value = (resource: string, divisor?: string, containerName = 'app'): string | undefined =>
    resourceValue(
      context,
      divisor === undefined ? { resource, containerName, divisor: '0' } : { resource, containerName, divisor },
      '',
    );
  t.is(value('limits.cpu'), '1');
  t.is(value('limits.cpu', '1m'), '500');
  t.is(value('limits.memory', '1Mi'), '64');
  t.is(value('requests.memory', '1Mi'), '32');
  t.is(value('limits.cpu', '1', 'bare'), '2');
  t.is(value('limits.memory', '1Gi', 'bare'), '1');
  t.is(value('limits.cpu', '1', 'none'), undefined);
});

test('the variables of services', (t) => {
  const service: core.Service = {
    metadata: { name: 'my-db', namespace: 'shop' },
    spec: { clusterIP: '127.254.0.9', ports: [{ name: 'pg-sql', port: 5432, targetPort: 5432 }] },
    status: { loadBalancer: {} },
  };
  t.deepEqual(serviceEnv([service, { ...service, spec: { clusterIP: 'None', ports: service.spec.ports! } }]), {
    MY_DB_SERVICE_HOST: '127.254.0.9',
    MY_DB_SERVICE_PORT: '5432',
    MY_DB_SERVICE_PORT_PG_SQL: '5432',
    MY_DB_PORT: 'tcp://127.254.0.9:5432',
    MY_DB_PORT_5432_TCP: 'tcp://127.254.0.9:5432',
    MY_DB_PORT_5432_TCP_PROTO: 'tcp',
    MY_DB_PORT_5432_TCP_PORT: '5432',
    MY_DB_PORT_5432_TCP_ADDR: '127.254.0.9',
  });
});
