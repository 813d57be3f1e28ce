/** What `proto/` says about a served resource itself. */
export interface ResourceFacts {
  /** '' is the core group. */
  readonly group: string;
  readonly version: string;
  /** The plural, lower-case name in paths. */
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** Such as `status`, `scale`, `log`, `binding`. */
  readonly subresources: readonly string[];
  /** Under which name objects are stored: resources with the same key are views of the same objects. */
  readonly storageKey: string;
  /** The version that is stored; other versions of a custom resource have the same schema. */
  readonly storageVersion: string;
  /** Handled as a custom resource: JSON only, no strategic merge patch, nothing filled in. */
  readonly custom: boolean;
}

/** A row of gen/resources.ts: the resource, and by which names its schemas are found. */
export interface ResourceRow extends ResourceFacts {
  readonly schemaId: string;
  readonly listSchemaId: string;
}
