import {
  configMaps,
  type core,
  type KubeObject,
  persistentVolumeClaims,
  persistentVolumes,
  type ResourceInfo,
  secrets,
} from '@flotilla/api';
import type { Clock, Logger, Random } from '@flotilla/base';
import { type Client, Informer } from '@flotilla/client';
import type { ConfigLookup } from './env/build.js';
import { references } from './volumes/payloads.js';

export interface ConfigCacheOptions {
  client: Client;
  clock: Clock;
  random: Random;
  logger: Logger;
}

/** Told that an object that pods may refer to has changed. */
export type ConfigListener = (namespace: string) => void;

/**
 * ConfigMaps, Secrets and claims of the namespaces that this node's pods refer to: watched from the first pod on that
 * needs them, so that volumes follow their objects at once.
 */
export class ConfigCache implements ConfigLookup {
  readonly #options: ConfigCacheOptions;
  readonly #configMaps = new Map<string, Informer<core.ConfigMap>>();
  readonly #secrets = new Map<string, Informer<core.Secret>>();
  readonly #claims = new Map<string, Informer<core.PersistentVolumeClaim>>();
  readonly #volumes = new Map<string, Informer<core.PersistentVolume>>();
  readonly #listeners = new Set<ConfigListener>();

  constructor(options: ConfigCacheOptions) {
    this.#options = options;
  }

  onChange(listener: ConfigListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when everything the pod refers to can be looked up. Undefined: nothing to wait for. */
  ready(namespace: string, spec: core.PodSpec): Promise<unknown> | undefined {
    const wanted: Promise<void>[] = [];
    const add = <T extends KubeObject>(cache: Map<string, Informer<T>>, info: ResourceInfo<T>, key: string): void => {
      const informer = cache.get(key) ?? this.#watch(cache, info, key);
      if (!informer.synced) wanted.push(informer.whenSynced());
    };
    const refs = [...references(spec)];
    if (refs.some((ref) => ref.startsWith('configmaps/'))) add(this.#configMaps, configMaps, namespace);
    if (refs.some((ref) => ref.startsWith('secrets/'))) add(this.#secrets, secrets, namespace);
    if (spec.volumes?.some((volume) => volume.persistentVolumeClaim)) {
      add(this.#claims, persistentVolumeClaims, namespace);
      add(this.#volumes, persistentVolumes, '');
    }
    return wanted.length === 0 ? undefined : Promise.all(wanted);
  }

  configMap(namespace: string, name: string): core.ConfigMap | undefined {
    return this.#configMaps.get(namespace)?.get(`${namespace}/${name}`);
  }

  secret(namespace: string, name: string): core.Secret | undefined {
    return this.#secrets.get(namespace)?.get(`${namespace}/${name}`);
  }

  claim(namespace: string, name: string): core.PersistentVolumeClaim | undefined {
    return this.#claims.get(namespace)?.get(`${namespace}/${name}`);
  }

  persistentVolume(name: string): core.PersistentVolume | undefined {
    return this.#volumes.get('')?.get(name);
  }

  async stop(): Promise<void> {
    const all = [this.#configMaps, this.#secrets, this.#claims, this.#volumes].flatMap((cache) => [...cache.values()]);
    await Promise.all(all.map((informer) => informer.stop()));
  }

  #watch<T extends KubeObject>(cache: Map<string, Informer<T>>, info: ResourceInfo<T>, namespace: string): Informer<T> {
    const { client, clock, random, logger } = this.#options;
    const scope = namespace === '' ? {} : { namespace };
    const informer = new Informer<T>(client, info, { ...scope, clock, random, logger });
    cache.set(namespace, informer);
    informer.onChange(() => {
      for (const listener of this.#listeners) listener(namespace);
    });
    informer.start();
    return informer;
  }
}
