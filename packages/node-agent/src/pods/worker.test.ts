import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { core } from '@flotilla/api';
import { getCondition } from '@flotilla/api';
import { readLog } from '@flotilla/sandbox';
import { signalProcess } from '@flotilla/host';
import test from 'ava';
import { startTestNode } from '../testing/node.js';

const sh = (script: string): string[] => ['/bin/sh', '-c', script];
const forever = 'trap "exit 0" TERM; while :; do sleep 0.05; done';
const status = (pod: core.Pod, name: string): core.ContainerStatus | undefined =>
  [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])].find((s) => s.name === name);
const isReady = (pod: core.Pod): boolean => getCondition(pod.status.conditions, 'Ready')?.status === 'True';

test('a pod comes, serves and goes', async (t) => {
  const node = await startTestNode(t, 101);
  node.create('web', {
    terminationGracePeriodSeconds: 5,
    containers: [{ name: 'app', command: sh(`echo up; trap "echo bye; exit 0" TERM; while :; do sleep 0.05; done`) }],
  });
  const pod = await node.until('web', 'ready', isReady);
  t.like(pod.status, { phase: 'Running', podIP: '127.126.101.2', hostIP: '127.126.101.1', qosClass: 'BestEffort' });
  t.like(status(pod, 'app'), { ready: true, started: true, restartCount: 0, imageID: 'flotilla://builtin/tools' });
  t.regex(status(pod, 'app')!.containerID!, /^flotilla:\/\/[0-9a-f]{64}$/);
  for (const type of ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled']) {
    t.is(getCondition(pod.status.conditions, type)?.status, 'True', type);
  }
  const dir = join(node.dir, 'pods', pod.metadata.uid!);
  node.api.deletePod('web', 5);
  await node.gone('web');
  t.deepEqual(node.processes(pod), []);
  t.false(existsSync(dir));
  const last = node.api.statuses.at(-1)!;
  t.is(last.status.phase, 'Succeeded');
  t.is(status(last, 'app')!.state.terminated!.exitCode, 0);
  t.deepEqual(
    node.events.map((event) => event.split(' ')[1]),
    ['Pulled', 'Created', 'Started', 'Killing'],
  );
});

test('init containers run in order; a sidecar starts before and ends after the rest', async (t) => {
  const node = await startTestNode(t, 102);
  const file = join(node.dir, 'order');
  const note = (what: string): string => `echo ${what} >> ${file}`;
  const life = (name: string): string =>
    `${note(`${name}+`)}; trap '${note(`${name}-`)}; exit 0' TERM; while :; do sleep 0.05; done`;
  node.create('web', {
    terminationGracePeriodSeconds: 10,
    initContainers: [
      { name: 'one', command: sh(`sleep 0.05; ${note('one')}`), resources: {} },
      {
        name: 'side',
        command: sh(`sleep 0.05; ${life('side')}`),
        restartPolicy: 'Always',
        resources: {},
        startupProbe: { exec: { command: ['grep', 'side+', file] }, periodSeconds: 1, failureThreshold: 30 },
      },
      { name: 'two', command: sh(note('two')), resources: {} },
    ],
    containers: [{ name: 'app', command: sh(life('app')) }],
  });
  const pod = await node.until('web', 'ready', isReady);
  await node.until('web', 'app wrote', () => readFileSync(file, 'utf8').includes('app+'));
  t.like(status(pod, 'one')?.state.terminated, { exitCode: 0, reason: 'Completed' });
  t.true(status(pod, 'side')!.ready);
  node.api.deletePod('web', 10);
  await node.gone('web');
  t.deepEqual(readFileSync(file, 'utf8').trim().split('\n'), ['one', 'side+', 'two', 'app+', 'app-', 'side-']);
});

test('a container that fails again and again backs off', async (t) => {
  const node = await startTestNode(t, 103);
  node.create('crash', { containers: [{ name: 'app', command: sh('echo run; exit 3') }] });
  const pod = await node.until(
    'crash',
    'backing off',
    (p) => status(p, 'app')?.state.waiting?.reason === 'CrashLoopBackOff',
  );
  const app = status(pod, 'app')!;
  t.is(pod.status.phase, 'Running');
  t.regex(app.state.waiting!.message!, /^back-off \d+s restarting failed container=app pod=crash_default\(/);
  t.like(app.lastState.terminated, { exitCode: 3, reason: 'Error' });
  t.true(app.restartCount >= 1);
  await node.until('crash', 'third restart', (p) => status(p, 'app')!.restartCount >= 3);
  t.true(
    node.events.some((event) =>
      event.startsWith('Warning BackOff Back-off restarting failed container app in pod crash_default('),
    ),
  );
  const worker = node.workers.find('default', 'crash')!;
  let previous = '';
  for await (const chunk of readLog(worker.log('app', true)!, {})) previous += Buffer.from(chunk).toString();
  t.is(previous, 'run\n');
});

test('pods that need not go on succeed or fail', async (t) => {
  const node = await startTestNode(t, 104);
  node.create('good', { restartPolicy: 'Never', containers: [{ name: 'app', command: sh('exit 0') }] });
  node.create('bad', {
    restartPolicy: 'Never',
    containers: [
      { name: 'app', command: sh('echo oops >&2; exit 4'), terminationMessagePolicy: 'FallbackToLogsOnError' },
    ],
  });
  node.create('init', {
    restartPolicy: 'Never',
    initContainers: [{ name: 'i', command: sh('exit 1'), resources: {} }],
    containers: [{ name: 'app', command: sh('exit 0') }],
  });
  const good = await node.until('good', 'succeeded', (p) => p.status.phase === 'Succeeded');
  t.is(getCondition(good.status.conditions, 'Ready')?.reason, 'PodCompleted');
  const bad = await node.until('bad', 'failed', (p) => p.status.phase === 'Failed');
  t.like(status(bad, 'app')!.state.terminated, { exitCode: 4, message: 'oops\n' });
  const init = await node.until('init', 'failed', (p) => p.status.phase === 'Failed');
  t.is(status(init, 'app')!.state.waiting?.reason, 'PodInitializing');
  node.api.deletePod('bad');
  await node.gone('bad');
});

test('an unknown image is said, and found as soon as it is there', async (t) => {
  const node = await startTestNode(t, 105);
  node.create('web', { containers: [{ name: 'app', image: 'mine:1' }] });
  const first = await node.until('web', 'error', (p) => status(p, 'app')?.state.waiting?.reason === 'ErrImagePull');
  t.regex(status(first, 'app')!.state.waiting!.message!, /flotilla image add mine:1 DIR/);
  const second = await node.until(
    'web',
    'back-off',
    (p) => status(p, 'app')?.state.waiting?.reason === 'ImagePullBackOff',
  );
  t.is(second.status.phase, 'Pending');
  mkdirSync(join(node.dir, 'images', 'mine'), { recursive: true });
  writeFileSync(
    join(node.dir, 'images', 'mine', 'image.json'),
    JSON.stringify({ names: ['mine:1'], entrypoint: sh(forever) }),
  );
  const pod = await node.until('web', 'ready', isReady);
  t.is(status(pod, 'app')!.imageID, 'flotilla://local/mine:1');
});

test('configuration: waits for what is missing, follows what changes', async (t) => {
  const node = await startTestNode(t, 106);
  node.create('web', {
    containers: [
      {
        name: 'app',
        command: sh(`echo "$GREETING $WHO $(cat /etc/conf/key)"; ${forever}`),
        env: [
          { name: 'GREETING', valueFrom: { configMapKeyRef: { name: 'conf', key: 'key' } } },
          { name: 'WHO', value: 'to $(GREETING) $(POD) $$(X)' },
          { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        ],
        volumeMounts: [{ name: 'conf', mountPath: '/etc/conf' }],
      },
    ],
    volumes: [{ name: 'conf', configMap: { name: 'conf', optional: true } }],
  });
  const waiting = await node.until(
    'web',
    'no config',
    (p) => status(p, 'app')?.state.waiting?.reason === 'CreateContainerConfigError',
  );
  t.is(status(waiting, 'app')!.state.waiting!.message, 'configmap "conf" not found');
  const configMap = { metadata: { name: 'conf', namespace: 'default' }, data: { key: 'hello' } };
  node.api.put<core.ConfigMap>('ConfigMap', configMap);
  const pod = await node.until('web', 'ready', isReady);
  await node.until('web', 'log', () => node.log('web', 'app') !== '');
  t.is(node.log('web', 'app'), 'hello to hello $(POD) $(X) hello\n');
  const file = join(node.dir, 'pods', pod.metadata.uid!, 'volumes', 'conf', 'key');
  node.api.put<core.ConfigMap>('ConfigMap', { ...configMap, data: { key: 'changed' } });
  await node.until('web', 'volume follows', () => readFileSync(file, 'utf8') === 'changed');
  t.is(status(node.api.pod('web')!, 'app')!.restartCount, 0);
});

test('a volume that cannot be had holds the pod up and is reported', async (t) => {
  const node = await startTestNode(t, 107);
  node.create('web', {
    containers: [{ name: 'app', command: sh(forever) }],
    volumes: [{ name: 's', secret: { secretName: 'gone' } }],
  });
  await node.until('web', 'reported', () => node.events.length > 0);
  t.is(node.events[0], 'Warning FailedMount MountVolume.SetUp failed for volume "s" : secret "gone" not found');
  t.is(status(node.api.pod('web')!, 'app')!.state.waiting?.reason, 'ContainerCreating');
  node.api.deletePod('web');
  await node.gone('web');
});

test('a new agent takes over running pods without touching them', async (t) => {
  const node = await startTestNode(t, 108);
  node.create('web', {
    containers: [
      {
        name: 'app',
        command: sh(`echo started; trap "exit 9" TERM; while :; do sleep 0.05; done`),
        readinessProbe: { exec: { command: ['true'] } },
      },
    ],
  });
  const before = await node.until('web', 'ready', isReady);
  const pids = node.processes(before);
  await node.restartAgent();
  t.deepEqual(node.processes(before).filter((pid) => pids.includes(pid)).length >= 2, true);
  t.is(node.log('web', 'app'), 'started\n');
  const after = node.api.pod('web')!;
  t.true(isReady(after));
  t.is(status(after, 'app')!.restartCount, 0);
  t.is(status(after, 'app')!.containerID, status(before, 'app')!.containerID);
  t.is(after.status.podIP, before.status.podIP);
  node.create('other', { containers: [{ name: 'app', command: sh(forever) }] });
  const other = await node.until('other', 'ready', isReady);
  t.not(other.status.podIP, before.status.podIP);
  node.api.deletePod('web', 5);
  await node.gone('web');
  t.is(status(node.api.statuses.findLast((p) => p.metadata.name === 'web')!, 'app')!.state.terminated!.exitCode, 9);
});

test('what ended or vanished while no agent looked is dealt with by the next one', async (t) => {
  const node = await startTestNode(t, 109);
  node.create('ended', {
    containers: [{ name: 'app', command: sh('while [ ! -e stop ]; do sleep 0.05; done; rm stop; exit 5') }],
  });
  node.create('lost', {
    initContainers: [{ name: 'i', command: sh('echo ran'), resources: {} }],
    containers: [{ name: 'app', command: sh(forever) }],
  });
  node.create('vanished', { containers: [{ name: 'app', command: sh(forever) }] });
  const ended = await node.until('ended', 'ready', isReady);
  const lost = await node.until('lost', 'ready', isReady);
  const vanished = await node.until('vanished', 'ready', isReady);
  await node.workers.release();
  writeFileSync(join(node.dir, 'pods', ended.metadata.uid!, 'containers', 'app', 'cwd', 'stop'), '');
  for (const pid of node.processes(lost)) signalProcess(pid, 'SIGKILL');
  node.api.deletePod('vanished', 0);
  while (existsSync(join(node.dir, 'pods', ended.metadata.uid!, 'containers', 'app', 'cwd', 'stop')))
    await new Promise((go) => setTimeout(go, 5));
  await new Promise((go) => setTimeout(go, 50));
  await node.restartAgent();
  const again = await node.until('ended', 'running again', (p) => status(p, 'app')!.restartCount === 1 && isReady(p));
  t.is(status(again, 'app')!.lastState.terminated!.exitCode, 5);
  const reborn = await node.until('lost', 'running again', (p) => status(p, 'app')!.restartCount === 1 && isReady(p));
  t.is(status(reborn, 'i')!.restartCount, 1);
  t.deepEqual(node.processes(vanished), []);
  t.false(existsSync(join(node.dir, 'pods', vanished.metadata.uid!)));
});

test('an agent that is stopped takes its pods down, and they begin anew', async (t) => {
  const node = await startTestNode(t, 110);
  node.create('web', { containers: [{ name: 'app', command: sh('trap "" TERM; while :; do sleep 0.05; done') }] });
  const pod = await node.until('web', 'ready', isReady);
  const begun = performance.now();
  await node.workers.park(100);
  t.true(performance.now() - begun < 2000);
  t.deepEqual(node.processes(pod), []);
  await node.restartAgent();
  const again = await node.until('web', 'ready again', (p) => status(p, 'app')!.restartCount === 1 && isReady(p));
  t.is(again.status.podIP, pod.status.podIP);
});

test('probes: unready while it fails, restarted when it hangs', async (t) => {
  const node = await startTestNode(t, 111);
  node.create('web', {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'app',
        command: sh(`touch ready alive; ${forever}`),
        readinessProbe: { exec: { command: ['test', '-e', 'ready'] }, periodSeconds: 1, failureThreshold: 1 },
        livenessProbe: {
          exec: { command: ['test', '-e', 'alive'] },
          periodSeconds: 1,
          failureThreshold: 1,
          initialDelaySeconds: 1,
        },
      },
    ],
  });
  const pod = await node.until('web', 'ready', isReady);
  const { unlinkSync } = await import('node:fs');
  const cwd = join(node.dir, 'pods', pod.metadata.uid!, 'containers', 'app', 'cwd');
  unlinkSync(join(cwd, 'ready'));
  await node.until('web', 'unready', (p) => !isReady(p) && status(p, 'app')!.state.running !== undefined);
  unlinkSync(join(cwd, 'alive'));
  await node.until('web', 'restarted', (p) => status(p, 'app')!.restartCount === 1 && isReady(p));
  t.true(node.events.includes('Normal Killing Container app failed liveness probe, will be restarted'));
  t.true(node.events.some((event) => event.startsWith('Warning Unhealthy Readiness probe failed:')));
});

test('a pod is ready when it is, not a period later', async (t) => {
  const node = await startTestNode(t, 118);
  const readinessProbe = { exec: { command: ['test', '-e', 'ready'] }, periodSeconds: 600 };
  node.create('web', {
    containers: [{ name: 'app', command: sh(`sleep 0.2; touch ready; ${forever}`), readinessProbe }],
  });
  await node.until('web', 'ready', isReady);
  t.false(node.events.some((event) => event.includes('Unhealthy')));
});

test('hooks run after the start and before the end', async (t) => {
  const node = await startTestNode(t, 112);
  const file = join(node.dir, 'hooks');
  node.create('web', {
    containers: [
      {
        name: 'app',
        command: sh(`trap 'echo term >> ${file}; exit 0' TERM; while :; do sleep 0.05; done`),
        lifecycle: {
          postStart: { exec: { command: sh(`echo post >> ${file}`) } },
          preStop: { exec: { command: sh(`sleep 0.1; echo pre >> ${file}`) } },
        },
      },
    ],
  });
  await node.until('web', 'ready', isReady);
  node.api.deletePod('web', 10);
  await node.gone('web');
  t.is(readFileSync(file, 'utf8'), 'post\npre\nterm\n');
});

test('a container that does not heed SIGTERM is killed when its grace is over', async (t) => {
  const node = await startTestNode(t, 113);
  node.create('web', { containers: [{ name: 'app', command: sh('trap "" TERM; while :; do sleep 0.05; done') }] });
  const pod = await node.until('web', 'ready', isReady);
  node.api.deletePod('web', 1);
  await node.gone('web');
  t.is(status(node.api.statuses.at(-1)!, 'app')!.state.terminated!.exitCode, 137);
  t.deepEqual(node.processes(pod), []);
});

test('a pod that is gone from the API is ended', async (t) => {
  const node = await startTestNode(t, 114);
  node.create('web', { containers: [{ name: 'app', command: sh('trap "" TERM; while :; do sleep 0.05; done') }] });
  const pod = await node.until('web', 'ready', isReady);
  node.api.deletePod('web', 0);
  const dir = join(node.dir, 'pods', pod.metadata.uid!);
  for (let i = 0; i < 600 && existsSync(dir); i++) await new Promise((go) => setTimeout(go, 5));
  t.false(existsSync(dir));
  t.deepEqual(node.processes(pod), []);
});

test('a deadline ends the pod', async (t) => {
  const node = await startTestNode(t, 115);
  node.create('web', { activeDeadlineSeconds: 1, containers: [{ name: 'app', command: sh(forever) }] });
  const pod = await node.until(
    'web',
    'failed',
    (p) => p.status.phase === 'Failed' && status(p, 'app')!.state.terminated !== undefined,
  );
  t.like(pod.status, { reason: 'DeadlineExceeded' });
  node.api.deletePod('web');
  await node.gone('web');
});

test('a claim’s directory outlives its pods', async (t) => {
  const node = await startTestNode(t, 116);
  const dir = join(node.dir, 'volumes', 'pv-1');
  node.api.put<core.PersistentVolume>('PersistentVolume', {
    metadata: { name: 'pv-1' },
    spec: { hostPath: { path: dir } },
    status: {},
  });
  node.api.put<core.PersistentVolumeClaim>('PersistentVolumeClaim', {
    metadata: { name: 'data', namespace: 'default' },
    spec: { volumeName: 'pv-1', resources: {} },
    status: { phase: 'Bound' },
  });
  const spec = (script: string) => ({
    restartPolicy: 'Never' as const,
    containers: [
      { name: 'app', command: sh(script), volumeMounts: [{ name: 'd', mountPath: '/data', subPath: 'sub' }] },
    ],
    volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'data' } }],
  });
  node.create('writer', spec('echo kept > /data/f'));
  await node.until('writer', 'succeeded', (p) => p.status.phase === 'Succeeded');
  node.api.deletePod('writer');
  await node.gone('writer');
  node.create('reader', spec('cat /data/f'));
  await node.until('reader', 'succeeded', (p) => p.status.phase === 'Succeeded');
  t.is(node.log('reader', 'app') || readFileSync(join(dir, 'sub', 'f'), 'utf8'), 'kept\n');
});

test('a status that others overwrite is said again', async (t) => {
  const node = await startTestNode(t, 117);
  node.create('web', { containers: [{ name: 'app', command: sh(forever) }] });
  const pod = await node.until('web', 'ready', isReady);
  const conditions = pod.status.conditions!.map((c) => (c.type === 'Ready' ? { ...c, status: 'False' as const } : c));
  node.api.put<core.Pod>('Pod', { ...pod, status: { ...pod.status, conditions } });
  await node.until('web', 'ready again', isReady);
  t.pass();
});
