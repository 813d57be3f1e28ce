import type { WantedListener } from '@flotilla/sandbox';
import type { PodWorker } from '../pods/worker.js';

/** Listeners for the `hostPort`s of this node's running pods, by `address:port`. */
export function hostPortListeners(workers: readonly PodWorker[], hostAddress: string): Map<string, WantedListener> {
  const wanted = new Map<string, WantedListener>();
  for (const worker of workers) {
    const { record } = worker;
    if (record.finished || record.hostNetwork || record.podIP === undefined) continue;
    const { spec } = worker.pod();
    for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) {
      for (const { hostPort, hostIP, containerPort, protocol } of container.ports ?? []) {
        if (!hostPort || (protocol ?? 'TCP') !== 'TCP') continue;
        const address = hostIP && hostIP !== '0.0.0.0' ? hostIP : hostAddress;
        const owner = `${record.namespace}/${record.name}:${hostPort}`;
        const backends = [{ ip: record.podIP, port: containerPort }];
        const listener = { address, port: hostPort, owner, backends, shared: false };
        if (!wanted.has(`${address}:${hostPort}`)) wanted.set(`${address}:${hostPort}`, listener);
      }
    }
  }
  return wanted;
}
