import type { core } from '@flotilla/api';
import type { HostPort, PodInfo } from './pod-info.js';
import { addAmounts, type Amounts, amountsOf } from './resources.js';

/** A node and the sum of what is on it, kept up to date pod by pod. */
export class NodeInfo {
  readonly name: string;
  /** Undefined while pods are known to be on a node that is not (yet, or any more) registered. */
  node: core.Node | undefined;
  allocatable: Amounts = new Map();
  readonly pods = new Map<string, PodInfo>();
  readonly requested: Amounts = new Map();
  readonly weight = { cpu: 0, memory: 0 };
  /** How many pods of each controller, by uid. */
  readonly controllers = new Map<string, number>();
  readonly #ports = new Map<string, HostPort[]>();
  /** Keys of pods that keep others away. */
  readonly antiAffine = new Set<string>();

  constructor(name: string) {
    this.name = name;
  }

  get labels(): Record<string, string> {
    return this.node?.metadata.labels ?? {};
  }

  setNode(node: core.Node | undefined): void {
    this.node = node;
    this.allocatable = amountsOf(node?.status.allocatable ?? node?.status.capacity);
  }

  add(pod: PodInfo): void {
    this.remove(pod.key);
    this.pods.set(pod.key, pod);
    this.#count(pod, 1);
    if (pod.hostPorts.length > 0) this.#ports.set(pod.key, [...pod.hostPorts]);
    if (pod.affinity.antiRequired.length > 0) this.antiAffine.add(pod.key);
  }

  remove(key: string): void {
    const pod = this.pods.get(key);
    if (!pod) return;
    this.pods.delete(key);
    this.#count(pod, -1);
    this.#ports.delete(key);
    this.antiAffine.delete(key);
  }

  /** Whether the port is free here; `0.0.0.0` stands for every address. */
  isFree(wanted: HostPort): boolean {
    for (const ports of this.#ports.values()) {
      const taken = ports.some(
        (p) =>
          p.port === wanted.port &&
          p.protocol === wanted.protocol &&
          (p.ip === wanted.ip || p.ip === '0.0.0.0' || wanted.ip === '0.0.0.0'),
      );
      if (taken) return false;
    }
    return true;
  }

  #count(pod: PodInfo, factor: 1 | -1): void {
    addAmounts(this.requested, pod.requests, factor);
    this.weight.cpu += factor * pod.weight.cpu;
    this.weight.memory += factor * pod.weight.memory;
    if (!pod.controller) return;
    const count = (this.controllers.get(pod.controller) ?? 0) + factor;
    if (count === 0) this.controllers.delete(pod.controller);
    else this.controllers.set(pod.controller, count);
  }
}
