/** What `proto/` says about a served resource: a row of gen/resources.ts. */
export interface ResourceRow {
  readonly group: string;
  readonly version: string;
  readonly storageVersion: string;
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: readonly string[];
  readonly storageKey: string;
  readonly custom: boolean;
  readonly schemaId: string;
  readonly listSchemaId: string;
}
