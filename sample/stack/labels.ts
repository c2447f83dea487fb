/** Everything that the samples make in Docker carries these labels, so that all of it can be found and removed. */

export const SAMPLE_LABEL = 'org.holdfast.sample';
/** SHA-256 of what an image was made from. */
export const CONTENT_LABEL = 'org.holdfast.sample.content';
/** The repository of the image; the tag is the start of its content's hash. */
export const IMAGE_REPOSITORY = 'holdfast-sample';
