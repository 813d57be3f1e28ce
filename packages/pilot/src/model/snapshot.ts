import type { istio } from '@flotilla/api';
import type { Protocol } from './protocol.js';

/** A service as the mesh sees it. */
export interface Service {
  readonly name: string;
  readonly namespace: string;
  /** `<name>.<namespace>.svc.<domain>` */
  readonly hostname: string;
  /** Empty for headless and external services. */
  readonly clusterIP: string;
  readonly headless: boolean;
  /** The name that an ExternalName service stands for. */
  readonly externalName: string | undefined;
  readonly ports: readonly ServicePort[];
  readonly selector: Readonly<Record<string, string>> | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly exportTo: readonly string[];
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

export interface ServicePort {
  readonly name: string;
  readonly port: number;
  /** A number, or the name of a container port. */
  readonly targetPort: number | string;
  readonly protocol: Protocol;
}

/** A rule of Istio, with the place it comes from. */
export interface Config<Spec> {
  readonly name: string;
  readonly namespace: string;
  readonly createdAt: number;
  readonly spec: Spec;
  /** Made from a Kubernetes Ingress: its prefixes match whole path elements. */
  readonly fromIngress?: boolean;
}

/** Everything that listeners, routes and clusters are made of. Never changes; the next state is another object. */
export interface ConfigSnapshot {
  /** `cluster.local` */
  readonly domain: string;
  /** Rules in it apply to every namespace: `istio-system`. */
  readonly rootNamespace: string;
  /** By host name, oldest first where two claim the same. */
  readonly services: ReadonlyMap<string, Service>;
  /** Oldest first. */
  readonly gateways: readonly Config<istio.GatewaySpec>[];
  readonly virtualServices: readonly Config<istio.VirtualServiceSpec>[];
  readonly destinationRules: readonly Config<istio.DestinationRuleSpec>[];
}

/** One address of a service port. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
  /** The service port's name. */
  readonly portName: string;
  readonly ready: boolean;
  /** Passes its readiness probe though it is terminating. */
  readonly serving: boolean;
  readonly terminating: boolean;
  /** Labels of the pod behind it. */
  readonly labels: Readonly<Record<string, string>>;
  readonly workload: string;
  readonly namespace: string;
  readonly locality: Locality | undefined;
}

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

/** Addresses by service: `namespace/name`. A list that has not changed is the same object as before. */
export type EndpointSnapshot = ReadonlyMap<string, readonly Endpoint[]>;

/** A pod as far as the mesh cares. */
export interface Workload {
  readonly name: string;
  readonly namespace: string;
  readonly ip: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Named container ports. */
  readonly ports: Readonly<Record<string, number>>;
  readonly workloadName: string;
}

/** The state of the world at one moment. */
export interface Snapshot {
  /** Grows with every change. */
  readonly version: number;
  readonly config: ConfigSnapshot;
  readonly endpoints: EndpointSnapshot;
  /** By `namespace/name`. */
  readonly workloads: ReadonlyMap<string, Workload>;
}

/** Whether a rule or service of `namespace` with this `exportTo` is meant for `consumer`. Absent means everybody. */
export function isVisible(exportTo: readonly string[] | undefined, namespace: string, consumer: string): boolean {
  if (!exportTo || exportTo.length === 0) return true;
  return exportTo.some((to) => to === '*' || to === consumer || (to === '.' && namespace === consumer));
}

/** Whether all of `selector` is in `labels`. */
export function selects(
  selector: Readonly<Record<string, string>> | undefined,
  labels: Readonly<Record<string, string>>,
): boolean {
  for (const key in selector) if (labels[key] !== selector[key]) return false;
  return true;
}
