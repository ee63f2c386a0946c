"""An application of Django with nothing but migrations."""
