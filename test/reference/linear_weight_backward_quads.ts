/** The same gradient as linear_weight_backward: only who loads what differs. */
export { linearWeightBackward as linearWeightBackwardQuads } from "./linear_weight_backward.ts";
