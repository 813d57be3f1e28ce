import { fieldSchema, type MessageSchema, type meta, messageSchema, schemaOf } from '@flotilla/api';
import type { Expected } from '../decode.js';

/** policy/v1 Eviction: a delete that a PodDisruptionBudget may refuse. There are no budgets yet. */
export interface Eviction {
  metadata: meta.ObjectMeta;
  deleteOptions?: meta.DeleteOptions;
}

let schema: MessageSchema | undefined;

export const evictionExpected = (): Expected => {
  schema ??= messageSchema({
    name: 'Eviction',
    schemaName: 'io.k8s.api.policy.v1.Eviction',
    kindOf: 'policy/v1',
    fields: () => [
      fieldSchema({ name: 'metadata', number: 1, type: 'message', message: () => schemaOf('meta.ObjectMeta') }),
      fieldSchema({
        name: 'deleteOptions',
        number: 2,
        type: 'message',
        pointer: true,
        message: () => schemaOf('meta.DeleteOptions'),
      }),
    ],
  });
  return { group: 'policy', version: 'v1', kind: 'Eviction', schema, protobuf: true };
};
