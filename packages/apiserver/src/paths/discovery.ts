import { apiVersionOf, type ResourceInfo, resources } from '@flotilla/api';
import { type ReviewKind, reviewKinds } from '../reviews.js';

/** Discovery documents, aggregated and legacy, from the table of served kinds. */

const storedVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

/** What is told about a kind, stored or only asked. */
type Served = Pick<ResourceInfo, keyof ResourceInfo & keyof ReviewKind> &
  Partial<Pick<ResourceInfo, 'shortNames' | 'categories' | 'subresources'>> & { readonly verbs?: readonly string[] };

interface Subresource {
  name: string;
  group: string;
  version: string;
  kind: string;
  verbs: string[];
}

const otherKinds: Readonly<Record<string, Omit<Subresource, 'name'>>> = {
  scale: { group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: ['get', 'patch', 'update'] },
  binding: { group: '', version: 'v1', kind: 'Binding', verbs: ['create'] },
  eviction: { group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] },
};

function subresourcesOf(info: Served): Subresource[] {
  const names = new Set(info.subresources ?? []);
  if (info.group === '' && info.resource === 'pods') names.add('eviction');
  return [...names].sort().map((name) => {
    const own = { group: info.group, version: info.version, kind: info.kind };
    const ownVerbs = name === 'log' ? ['get'] : name === 'finalize' ? ['update'] : ['get', 'patch', 'update'];
    return { name, ...(otherKinds[name] ?? { ...own, verbs: ownVerbs }) };
  });
}

/** kubectl resolves a bare name by the order of the groups; ours is upstream's, with custom groups last. */
const groupOrder = [
  '',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'networking.k8s.io',
  'storage.k8s.io',
  'coordination.k8s.io',
  'discovery.k8s.io',
];

function versionRank(version: string): number {
  const [, major = '0', level = '', minor = '0'] = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version) ?? [];
  return (level === '' ? 2e6 : level === 'beta' ? 1e6 : 0) + Number(major) * 1000 + Number(minor);
}

export interface GroupVersions {
  group: string;
  /** Preferred first. */
  versions: { version: string; resources: Served[] }[];
}

export function groupsOf(served: readonly Served[] = [...resources, ...reviewKinds]): GroupVersions[] {
  const rank = (group: string): number => {
    const at = groupOrder.indexOf(group);
    return at < 0 ? groupOrder.length : at;
  };
  const names = [...new Set(served.map((info) => info.group))].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return names.map((group) => {
    const own = served.filter((info) => info.group === group);
    const versions = [...new Set(own.map((info) => info.version))].sort((a, b) => versionRank(b) - versionRank(a));
    return {
      group,
      versions: versions.map((version) => ({
        version,
        resources: own.filter((i) => i.version === version).sort((a, b) => (a.resource < b.resource ? -1 : 1)),
      })),
    };
  });
}

/** `/api` (the core group) or `/apis` (all others) as an APIGroupDiscoveryList. */
export function aggregatedDiscovery(core: boolean, version: 'v2' | 'v2beta1'): object {
  const groups = groupsOf().filter((g) => (g.group === '') === core);
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map(({ group, versions }) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: versions.map((v) => ({
        version: v.version,
        resources: v.resources.map(discovered),
        freshness: 'Current',
      })),
    })),
  };
}

const aliases = ({ shortNames = [], categories = [] }: Served): object => ({
  ...(shortNames.length > 0 ? { shortNames } : {}),
  ...(categories.length > 0 ? { categories } : {}),
});

function discovered(info: Served): object {
  const subresources = subresourcesOf(info).map((sub) => ({
    subresource: sub.name,
    responseKind: { group: sub.group, version: sub.version, kind: sub.kind },
    verbs: sub.verbs,
  }));
  return {
    resource: info.resource,
    responseKind: { group: info.group, version: info.version, kind: info.kind },
    scope: info.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: info.singular,
    verbs: info.verbs ?? storedVerbs,
    ...aliases(info),
    ...(subresources.length > 0 ? { subresources } : {}),
  };
}

export function apiVersions(serverAddress: string): object {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
  };
}

function apiGroup({ group, versions }: GroupVersions): object {
  const list = versions.map(({ version }) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: list, preferredVersion: list[0] };
}

export function apiGroupList(): object {
  const groups = groupsOf().filter((g) => g.group !== '');
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(apiGroup) };
}

/** `/apis/<group>`; undefined when there is no such group. */
export function apiGroupDocument(group: string): object | undefined {
  const found = group === '' ? undefined : groupsOf().find((g) => g.group === group);
  return found && { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(found) };
}

/** `/api/v1`, `/apis/<group>/<version>`; undefined when it is not served. */
export function apiResourceList(group: string, version: string): object | undefined {
  const own = groupsOf()
    .find((g) => g.group === group)
    ?.versions.find((v) => v.version === version);
  if (!own) return undefined;
  const list = own.resources.flatMap((info) => [
    {
      name: info.resource,
      singularName: info.singular,
      namespaced: info.namespaced,
      kind: info.kind,
      verbs: info.verbs ?? storedVerbs,
      ...aliases(info),
    },
    ...subresourcesOf(info).map((sub) => ({
      name: `${info.resource}/${sub.name}`,
      singularName: '',
      namespaced: info.namespaced,
      ...(sub.group === group && sub.version === version ? {} : { group: sub.group, version: sub.version }),
      kind: sub.kind,
      verbs: sub.verbs,
    })),
  ]);
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: apiVersionOf({ group, version }), resources: list };
}
