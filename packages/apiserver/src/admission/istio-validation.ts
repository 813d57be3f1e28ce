import { istioDenial } from '@flotilla/api';
import type { AdmissionStep } from './step.js';

/** Istio's validating webhook `validation.istio.io`. It is registered for objects themselves, not their subresources. */
export const istioValidation: AdmissionStep = {
  name: 'validation.istio.io',
  validate({ operation, subresource, info, object }) {
    if (operation === 'DELETE' || subresource !== '' || object === undefined) return undefined;
    return istioDenial(info, object);
  },
};
