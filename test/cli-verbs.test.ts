import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, TestCluster } from '@flotilla/testkit';
import type { ExecutionContext } from 'ava';
import test from 'ava';

// The everyday verbs of `flotilla`, on a real cluster, without any kubectl.

const manifest = (text: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo, labels: {app: echo}}
spec:
  replicas: 1
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec:
      containers:
        - name: echo
          image: hashicorp/http-echo
          args: ["-text=${text}"]
          ports: [{containerPort: 5678}]
---
apiVersion: v1
kind: Service
metadata: {name: echo}
spec:
  selector: {app: echo}
  ports: [{name: http, port: 80, targetPort: 5678}]
`;

/** Runs a verb that must succeed. */
async function ran(t: ExecutionContext, cluster: TestCluster, ...args: string[]): Promise<string> {
  const result = await cluster.flotilla(...args);
  t.is(result.code, 0, `${args.join(' ')}: ${result.stdout}${result.stderr}`);
  return result.stdout;
}

test('apply, rollout, get, logs, scale, label, wait, describe, delete', async (t) => {
  t.timeout(120_000);
  const cluster = await TestCluster.start({ nodes: 1 });
  t.teardown(() => cluster.destroy());
  const file = join(cluster.home, 'echo.yaml');
  const applied = (how: string): string => `deployment.apps/echo ${how}\nservice/echo `;

  writeFileSync(file, manifest('one'));
  t.is(await ran(t, cluster, 'apply', '-f', file), `${applied('created')}created\n`);
  t.regex(await ran(t, cluster, 'rollout', 'status', 'deploy/echo'), /deployment "echo" successfully rolled out\n$/);
  t.is(await ran(t, cluster, 'apply', '-f', file), `${applied('unchanged')}unchanged\n`);

  t.regex(await ran(t, cluster, 'get', 'deploy'), /^NAME {3}READY {3}UP-TO-DATE {3}AVAILABLE {3}AGE\necho {3}1\/1 /);
  t.regex(await ran(t, cluster, 'get', 'pods', '-A', '-l', 'app=echo'), /^NAMESPACE {3}NAME .*\ndefault {5}echo-/);
  t.regex(await ran(t, cluster, 'get', 'svc', 'echo', '-o', 'yaml'), /^apiVersion: v1\nkind: Service\nmetadata:\n/);
  t.is(await ran(t, cluster, 'get', 'deploy,svc', 'echo', '-o', 'name'), 'deployment.apps/echo\nservice/echo\n');
  await eventually('its log', async () =>
    /port 5678/.test(await ran(t, cluster, 'logs', 'deploy/echo', '--tail', '5')),
  );

  t.is(await ran(t, cluster, 'scale', 'deploy/echo', '--replicas', '2'), 'deployment.apps/echo scaled\n');
  t.is(await ran(t, cluster, 'label', 'deploy', 'echo', 'tier=front'), 'deployment.apps/echo labeled\n');
  const taken = await cluster.flotilla('label', 'deploy', 'echo', 'tier=back');
  t.is(taken.code, 1);
  t.is(taken.stderr, "error: 'tier' already has a value (front), and --overwrite is false\n");
  await ran(t, cluster, 'rollout', 'status', 'deploy/echo');
  t.is(
    await ran(t, cluster, 'wait', '--for=condition=Available', 'deploy/echo'),
    'deployment.apps/echo condition met\n',
  );

  writeFileSync(file, manifest('two'));
  t.is(await ran(t, cluster, 'apply', '-f', file), `${applied('configured')}unchanged\n`);
  t.regex(await ran(t, cluster, 'get', 'deploy', 'echo', '-o', 'json'), /"tier": "front"/, 'not ours to remove');
  t.is(await ran(t, cluster, 'rollout', 'restart', 'deploy/echo'), 'deployment.apps/echo restarted\n');
  await ran(t, cluster, 'rollout', 'status', 'deploy/echo');
  t.regex(await ran(t, cluster, 'describe', 'deploy', 'echo'), /^Name: +echo\n[^]*Events:\n[^]*ScalingReplicaSet/);

  const deleted = 'deployment.apps "echo" deleted\nservice "echo" deleted\n';
  t.is(await ran(t, cluster, 'delete', '-f', file), deleted);
  const missing = await cluster.flotilla('get', 'deploy', 'echo');
  t.is(missing.code, 1);
  t.is(missing.stderr, 'Error from server (NotFound): deployments.apps "echo" not found\n');
  const refused = await cluster.flotilla('exec', 'echo', '--', 'ls');
  t.is(refused.code, 1);
  t.regex(refused.stderr, /^error: exec is not there yet\n/);

  await ran(t, cluster, 'down');
  const down = await cluster.flotilla('get', 'pods');
  t.is(down.code, 1);
  t.regex(down.stderr, /^error: cluster "flotilla" is not running\n +start it with: flotilla up\n/);
});
