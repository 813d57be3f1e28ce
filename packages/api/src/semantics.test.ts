import test from 'ava';
import fc from 'fast-check';
import { setDefaults } from './defaults/index.js';
import { fieldsOf } from './fields.js';
import { type KubeObject, resources } from './resources.js';
import { decodeJson } from './schema/decode-json.js';
import type { JsonObject } from './schema/json.js';
import { arbitraryOf } from './schema/testing/arbitrary.js';
import { tableFor } from './tables/index.js';
import { validateCreate, validateStatusUpdate, validateUpdate } from './validation/index.js';
import { istioDenial } from './validation/istio/index.js';

/** Whatever a client sends that can be decoded, semantics answers with values, not exceptions. */
for (const info of resources.filter((r) => r.version === 'v1')) {
  test(`property: any ${info.kind} of ${info.group || 'core'} can be defaulted, validated and shown`, (t) => {
    const decoded = (json: object): KubeObject => decodeJson<KubeObject>(info.schema, json as JsonObject).value;
    const any = arbitraryOf(info.schema).map((json) => decoded({ metadata: {}, ...(json as JsonObject) }));
    fc.assert(
      fc.property(any, any, (object, other) => {
        setDefaults(info, object);
        setDefaults(info, other);
        const again = structuredClone(object);
        setDefaults(info, again);
        t.deepEqual(again, object);
        const errors = [
          ...validateCreate(info, object),
          ...validateUpdate(info, object, other),
          ...validateStatusUpdate(info, object, other),
        ];
        for (const error of errors) t.true(String(error).length > 0);
        t.deepEqual(
          validateUpdate(info, object, object).filter((e) => e.detail === 'field is immutable'),
          [],
        );
        istioDenial(info, object);
        fieldsOf(info, object);
        const { columnDefinitions, rows } = tableFor(info, [object], Date.parse('2030-01-01T00:00:00Z'));
        t.is(rows[0]!.cells.length, columnDefinitions.length);
      }),
      { numRuns: 60 },
    );
  });
}
