//! framehop's unwinder with the unwind tables of one snapshot.
//!
//! Not here: how a stack is walked with it (`crate::unwind::fast`).

use std::ops::Deref;
use std::sync::Arc;

use framehop::{
    ExplicitModuleSectionInfo, Module, MustNotAllocateDuringUnwind, Unwinder as _, UnwinderNative,
};

use super::Image;
use super::dl::Section;

/// framehop with the modules of one snapshot; shared by all threads.
pub(crate) struct Unwinder {
    framehop: UnwinderNative<Section, MustNotAllocateDuringUnwind>,
    /// False if not even the main program has unwind tables.
    usable: bool,
}

impl std::fmt::Debug for Unwinder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unwinder")
            .field("usable", &self.usable)
            .finish_non_exhaustive()
    }
}

impl Unwinder {
    pub(super) fn new(images: &[Arc<Image>]) -> Unwinder {
        let mut framehop = UnwinderNative::new();
        for image in images {
            let Some(tables) = &image.unwind else {
                continue;
            };
            framehop.add_module(Module::new(
                image.path.deref().to_owned(),
                image.range.start as u64..image.range.end as u64,
                image.base as u64,
                ExplicitModuleSectionInfo {
                    eh_frame_hdr_svma: Some(tables.header_range.clone()),
                    eh_frame_hdr: Some(tables.header.clone()),
                    eh_frame_svma: Some(tables.frames_range.clone()),
                    eh_frame: Some(tables.frames.clone()),
                    ..ExplicitModuleSectionInfo::default()
                },
            ));
        }
        Unwinder {
            framehop,
            usable: images
                .iter()
                .any(|image| image.is_main && image.unwind.is_some()),
        }
    }

    /// framehop's own unwinder.
    pub(crate) fn framehop(&self) -> &UnwinderNative<Section, MustNotAllocateDuringUnwind> {
        &self.framehop
    }

    /// False if not even the main program has unwind tables.
    pub(crate) fn is_usable(&self) -> bool {
        self.usable
    }
}
