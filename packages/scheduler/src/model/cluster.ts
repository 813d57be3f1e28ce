import { type core, isPodTerminal, type storage } from '@flotilla/api';
import { NodeInfo } from './node-info.js';
import { type PodInfo, podInfo } from './pod-info.js';

/** Things other than nodes and pods that a decision looks at. Answers from caches. */
export interface Surroundings {
  labelsOfNamespace(namespace: string): Record<string, string>;
  /** The selectors of the services that select the pod. */
  servicesOf(pod: core.Pod): readonly Record<string, string>[];
  claim(key: string): core.PersistentVolumeClaim | undefined;
  volume(name: string): core.PersistentVolume | undefined;
  volumes(): readonly core.PersistentVolume[];
  storageClass(name: string): storage.StorageClass | undefined;
}

/**
 * Which pod is where: what the API has confirmed and what the scheduler has just decided (assumed), so that the next
 * decision need not wait for the last binding.
 */
export class Cluster {
  readonly #nodes = new Map<string, NodeInfo>();
  /** Where each counted pod is. */
  readonly #places = new Map<string, { node: string; uid: string; assumed: boolean }>();
  readonly surroundings: Surroundings;

  constructor(surroundings: Surroundings) {
    this.surroundings = surroundings;
  }

  /** Registered nodes, in a stable order. */
  nodes(): NodeInfo[] {
    return [...this.#nodes.values()].filter((info) => info.node !== undefined);
  }

  node(name: string): NodeInfo | undefined {
    return this.#nodes.get(name);
  }

  setNode(name: string, node: core.Node | undefined): void {
    const info = this.#info(name);
    info.setNode(node);
    if (!node && info.pods.size === 0) this.#nodes.delete(name);
  }

  /** What the API says of a pod; undefined: it is gone. A confirmed place replaces an assumed one. */
  setPod(key: string, pod: core.Pod | undefined): void {
    const place = this.#places.get(key);
    if (pod?.spec.nodeName && !isPodTerminal(pod)) {
      this.#put(podInfo(pod), pod.spec.nodeName, false);
      return;
    }
    // News of a pod that is not bound yet do not undo our own decision about it.
    const unboundYet = pod && !pod.spec.nodeName && !isPodTerminal(pod);
    if (place?.assumed && unboundYet && pod.metadata.uid === place.uid) return;
    this.#drop(key);
  }

  /** Counts the pod on the node from now on, before the API knows. */
  assume(pod: PodInfo, node: string): void {
    this.#put(pod, node, true);
  }

  /** The decision came to nothing. */
  forget(pod: PodInfo): void {
    const place = this.#places.get(pod.key);
    if (place?.assumed && place.uid === pod.uid) this.#drop(pod.key);
  }

  isAssumed(pod: PodInfo): boolean {
    const place = this.#places.get(pod.key);
    return place !== undefined && place.uid === pod.uid;
  }

  #put(pod: PodInfo, node: string, assumed: boolean): void {
    const place = this.#places.get(pod.key);
    if (place && place.node !== node) this.#drop(pod.key);
    this.#info(node).add(pod);
    this.#places.set(pod.key, { node, uid: pod.uid, assumed });
  }

  #drop(key: string): void {
    const place = this.#places.get(key);
    if (!place) return;
    this.#places.delete(key);
    const info = this.#nodes.get(place.node);
    info?.remove(key);
    if (info && !info.node && info.pods.size === 0) this.#nodes.delete(place.node);
  }

  #info(name: string): NodeInfo {
    let info = this.#nodes.get(name);
    if (!info) this.#nodes.set(name, (info = new NodeInfo(name)));
    return info;
  }
}
